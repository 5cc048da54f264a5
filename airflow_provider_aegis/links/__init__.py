"""Links from a task to Security Center's pages."""
