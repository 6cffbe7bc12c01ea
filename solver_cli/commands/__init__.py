"""What people type: one file a command, which parses, calls one library function and prints. The only place with click."""
