"""The route matrix: every route refuses bad credentials."""
