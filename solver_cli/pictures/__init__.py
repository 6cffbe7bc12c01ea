"""What people look at: logs read back as tables, curves of runs, drawings of nets. It trains nothing."""
