"""The pages that show runs, one or several; reads run folders only."""
