"""The cheapest version of a prompt that measurably still does the job."""
