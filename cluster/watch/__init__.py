"""The Watcher: live counters of every director, in workers of the queue ``watch``.

``watcher`` the manager thread · ``leases`` who watches whom · ``stream`` one director's
connection · ``sample`` frames to numbers · ``store`` the live cache in Valkey or Redis
· ``questions`` what pages ask while somebody looks · ``lookout`` who answers it
· ``packing`` rows of history, written by ``readings`` · ``retention`` their end · ``bootstep`` the way into Celery
"""
