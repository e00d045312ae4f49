"""Large data of a factory, stored with COPY."""
