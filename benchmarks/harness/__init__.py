"""What every benchmark uses: records, sections of the report, plots, the catalog, and the report itself."""
