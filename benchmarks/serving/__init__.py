"""Compare the service with other ways to serve the same networks, under real load."""
