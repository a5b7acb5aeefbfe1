"""A study of many landscapes: do deep, data-poor networks have landscapes of their own?"""
