"""Load on a server: locust users (`make loadtest`) and side-by-side measurements (`make bench`)."""
