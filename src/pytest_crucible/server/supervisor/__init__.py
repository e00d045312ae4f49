"""The supervisor, the process that owns a server. Everything here must stay cheap to import."""
