"""Random scripts for a child and its parent, and what the parent's protocol heard."""
