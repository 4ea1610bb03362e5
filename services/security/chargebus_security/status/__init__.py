"""What stations ask of the status of certificates: OCSP and lists of revoked ones, asked for them."""
