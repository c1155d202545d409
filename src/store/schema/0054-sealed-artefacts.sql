-- Which key sealed it: its id; '' what was sealed before seals named their key.
ALTER TABLE csirt_artefact ADD COLUMN seal_key TEXT DEFAULT '';
CREATE INDEX csirt_artefact_seal ON csirt_artefact (seal_key, id);
