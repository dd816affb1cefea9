"""The dashboard in a real browser, on a phone and on a desktop."""
