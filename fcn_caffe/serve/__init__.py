"""A trained net as a page in the browser, and the small service behind it."""
