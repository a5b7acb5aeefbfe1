def write_page(path, records, varying):
    pass
