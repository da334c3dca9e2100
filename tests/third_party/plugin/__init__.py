"""What is put on the path of another project's test run: nothing but the plugin."""
