"""Questions, work items, shards and answers: from wanted to answered."""
