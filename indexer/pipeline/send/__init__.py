"""From approved work to answers: batches and single calls."""
