"""What runs over there: one module for each kind."""
