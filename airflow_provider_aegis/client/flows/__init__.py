"""What decides: generators that say what they want done, and do none of it themselves."""
