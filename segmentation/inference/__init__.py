"""Any artefact of the project as one callable."""
