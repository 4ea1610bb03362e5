"""What stations are to be set to: by groups, with precedence, applied at a pace and compared with what they have."""
