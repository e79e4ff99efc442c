"""How gunicorn serves Rucio. Address and port are given on its command line."""

worker_class = "gthread"
workers = 2
threads = 8
control_socket_disable = True
graceful_timeout = 5
timeout = 300
keepalive = 30
loglevel = "warning"
accesslog = None
