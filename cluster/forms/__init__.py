"""Forms: what a person may type, checked before anything is saved."""
