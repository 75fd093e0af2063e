"""Where the evidence service keeps its rows: DuckDB for the hot part, Parquet for the warm part, both encrypted."""
