"""Where the app's data comes from: plain records, asked for by name and sent as messages."""
