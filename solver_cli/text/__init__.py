"""What a file says: text format with places, old forms brought up to date, the layers of a net in one state."""
