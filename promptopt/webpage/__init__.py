"""The offline page that every report is: values in, one HTML file out. It knows no verb."""
