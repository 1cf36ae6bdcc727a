"""Who may do what: API keys, what each endpoint asks of them, and how much each may ask for."""
