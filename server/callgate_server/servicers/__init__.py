"""gRPC's view of the server: requests in, answers or statuses out. Written against grpc.ServicerContext alone."""
