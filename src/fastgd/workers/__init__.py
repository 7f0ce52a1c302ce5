"""Work in parts, done by threads of this process or by anyone's executor; a part may be lost."""
