"""What everything below the manager and the loop stands on."""
