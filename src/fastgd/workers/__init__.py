"""Work in chunks, done by threads of this process or by anyone's executor; a chunk may be lost."""
