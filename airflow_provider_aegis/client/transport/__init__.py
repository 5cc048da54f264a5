"""The only I/O: two drivers of the flows, one blocking and one for event loops, and what they share."""
