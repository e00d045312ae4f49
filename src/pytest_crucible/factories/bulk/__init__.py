"""Large data of a factory, by COPY."""
