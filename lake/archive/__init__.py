"""The archive: what people and scripts reach over HTTP; it asks the policy for all, and changes nothing."""
