"""Jobs in chunks, computed by threads or by any executor; lost chunks are computed again."""
