"""Who is calling: unix peers, API keys and client certificates, each turned into one identity or into nobody."""
