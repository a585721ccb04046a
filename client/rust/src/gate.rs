//! A connection to a server.
//!
//! ```text
//! call ──▶ encode ──▶ a place (at most `in_flight` at once) ──▶ tonic ──▶ decode, or the error
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;

use crate::batch::Batch;
use crate::call::Call;
use crate::connect::Builder;
use crate::deadline::Deadline;
use crate::errors::{Error, GateError, from_rpc_status};
use crate::health::HealthStatus;
use crate::request::{Args, Request};
use crate::retry::retried;
use crate::stream::StreamCall;
use crate::v1::function_service_client::FunctionServiceClient;
use crate::v1::{CallFunctionRequest, CallFunctionResponse, Function, GetFunctionRequest, ListFunctionsRequest};

/// Room for what surrounds a message's payload.
const MESSAGE_SLACK: usize = 1024;

/// A connection to a server. Clones share it, from any task; it closes when the last of them is dropped.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    stub: FunctionServiceClient<Channel>,
    grpc: Grpc<Channel>,
    health: HealthClient<Channel>,
    authorization: Option<AsciiMetadataValue>,
    target: String,
    timeout: Option<Duration>,
    max_message: usize,
    places: Semaphore,
    in_flight: usize,
}

impl Gate {
    /// Connects to a server: `"http://HOST:PORT"`, `"https://HOST:PORT"`, or `"unix:PATH"`.
    ///
    /// # Errors
    /// [`Error::Gate`] if there is no server; [`Error::Value`] if that is no target.
    pub async fn connect(target: impl Into<String>) -> Result<Gate, Error> {
        Gate::builder(target).connect().await
    }

    /// How to reach a server, with more to say: TLS, a token, limits.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let gate = callgate::Gate::builder("https://gate.example:50051")
    ///     .ca(std::fs::read("ca.pem")?)
    ///     .token(std::env::var("CALLGATE_TOKEN")?)
    ///     .timeout(std::time::Duration::from_secs(30))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(target: impl Into<String>) -> Builder {
        Builder::new(target.into())
    }

    pub(crate) fn over(
        channel: Channel,
        authorization: Option<AsciiMetadataValue>,
        target: String,
        timeout: Option<Duration>,
        max_message: usize,
        in_flight: usize,
    ) -> Gate {
        let health = HealthClient::new(channel.clone());
        let bytes = max_message.saturating_add(MESSAGE_SLACK);
        let grpc = Grpc::new(channel.clone()).max_decoding_message_size(bytes).max_encoding_message_size(bytes);
        let stub =
            FunctionServiceClient::new(channel).max_decoding_message_size(bytes).max_encoding_message_size(bytes);
        let places = Semaphore::new(in_flight.min(Semaphore::MAX_PERMITS));
        Gate {
            inner: Arc::new(Inner {
                stub,
                grpc,
                health,
                authorization,
                target,
                timeout,
                max_message,
                places,
                in_flight,
            }),
        }
    }

    /// Calls a function; `.await` what this returns, after adding keyword arguments or a timeout.
    ///
    /// ```no_run
    /// # async fn example(gate: callgate::Gate) -> Result<(), callgate::Error> {
    /// use std::time::Duration;
    ///
    /// let root: f64 = gate.call("math", "sqrt", (16.0,)).await?;
    /// let text: String = gate
    ///     .call("json", "dumps", (vec![1, 2],))
    ///     .kwarg("indent", 2)
    ///     .timeout(Duration::from_secs(1))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The result is any type that is [`FromValue`](crate::FromValue), or a [`Value`](crate::Value) for all that there
    /// is. Dropping the future cancels the call, on the server as well.
    pub fn call<T>(&self, module: impl Into<String>, function: impl Into<String>, args: impl Args) -> Call<'_, T> {
        Call::new(self, Request::new(module, function, args))
    }

    /// Calls a generator; `.await` gives its items as a [`Stream`](tokio_stream::Stream).
    ///
    /// ```no_run
    /// # async fn example(gate: callgate::Gate) -> Result<(), callgate::Error> {
    /// let mut items = gate.stream::<i64>("countdown", "down", (3,)).await?;
    /// while let Some(item) = items.next().await {
    ///     println!("{}", item?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A failure comes after the items before it. Dropping the items closes the generator on the server. A stream takes
    /// no place among the calls on their way.
    pub fn stream<T>(
        &self,
        module: impl Into<String>,
        function: impl Into<String>,
        args: impl Args,
    ) -> StreamCall<'_, T> {
        StreamCall::new(self, Request::new(module, function, args))
    }

    /// Makes many calls in one message, which is many times cheaper than one by one; `.await` gives each call's result,
    /// in the order of the calls.
    ///
    /// ```no_run
    /// # async fn example(gate: callgate::Gate) -> Result<(), callgate::Error> {
    /// use callgate::Request;
    ///
    /// let calls = (0..1000).map(|n| Request::new("math", "sqrt", (f64::from(n),)));
    /// let roots = gate.batch::<f64>(calls).await?;
    /// assert_eq!(roots.len(), 1000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch<T>(&self, calls: impl IntoIterator<Item = Request>) -> Batch<'_, T> {
        Batch::new(self, calls.into_iter().collect())
    }

    /// The functions that this client may call, by module and name.
    ///
    /// # Arguments
    /// * `module` - only this module's; none for all.
    ///
    /// # Errors
    /// [`Error::Gate`]. An unreachable server is asked up to four times.
    pub async fn functions(&self, module: Option<&str>) -> Result<Vec<Function>, Error> {
        let mut functions = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = ListFunctionsRequest { page_size: 0, page_token, module: module.unwrap_or_default().to_owned() };
            let response = retried(self, page, async |mut stub, request| stub.list_functions(request).await).await?;
            functions.extend(response.functions);
            page_token = response.next_page_token;
            if page_token.is_empty() {
                return Ok(functions);
            }
        }
    }

    /// Describes a function: its signature, parameters, documentation and executor.
    ///
    /// # Errors
    /// [`Error::Gate`] with the reason `FUNCTION_NOT_FOUND` if there is none for this client. An unreachable server is
    /// asked up to four times.
    pub async fn function(&self, module: &str, function: &str) -> Result<Function, Error> {
        let request = GetFunctionRequest { module: module.to_owned(), function: function.to_owned() };
        let response = retried(self, request, async |mut stub, request| stub.get_function(request).await).await?;
        Ok(response.function.unwrap_or_default())
    }

    /// Asks the server's health service, which is gRPC's own.
    ///
    /// # Arguments
    /// * `service` - one of its services: `"callgate.v1.FunctionService"`; empty for the server as a whole.
    ///
    /// # Errors
    /// [`Error::Gate`]. A server that cannot be reached is not asked again: that, too, is an answer.
    pub async fn health(&self, service: &str) -> Result<HealthStatus, Error> {
        let deadline = self.deadline(None);
        let request = self.request(HealthCheckRequest { service: service.to_owned() }, deadline)?;
        let mut stub = self.inner.health.clone();
        match deadline.bound(stub.check(request), GateError::late).await? {
            Ok(response) => Ok(response.into_inner().status().into()),
            // What the health protocol answers for a service that it does not know.
            Err(status) if status.code() == Code::NotFound => Ok(HealthStatus::ServiceUnknown),
            Err(status) => Err(self.failure(status)),
        }
    }

    /// CallFunction, as the stub makes it but for the method's name as an extension of the request: that costs a hash
    /// table a call, and only interceptors would read it.
    pub(crate) async fn call_function(
        &self,
        request: tonic::Request<CallFunctionRequest>,
    ) -> Result<Response<CallFunctionResponse>, Status> {
        let mut grpc = self.inner.grpc.clone();
        grpc.ready().await.map_err(|error| Status::unknown(format!("Service was not ready: {error}")))?;
        let path = PathAndQuery::from_static("/callgate.v1.FunctionService/CallFunction");
        grpc.unary(request, path, ProstCodec::default()).await
    }

    pub(crate) fn stub(&self) -> FunctionServiceClient<Channel> {
        self.inner.stub.clone()
    }

    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> Deadline {
        Deadline::after(timeout.or(self.inner.timeout))
    }

    /// A place among the calls on their way.
    pub(crate) async fn place(&self, deadline: Deadline) -> Result<SemaphorePermit<'_>, Error> {
        match self.inner.places.try_acquire() {
            Ok(place) => Ok(place),
            // Apart: what waits, and its timer, would take memory in each call's future.
            Err(_) => Box::pin(self.wait_for_place(deadline)).await,
        }
    }

    async fn wait_for_place(&self, deadline: Deadline) -> Result<SemaphorePermit<'_>, Error> {
        let place = deadline.bound(self.inner.places.acquire(), || GateError::no_place(self.inner.in_flight)).await?;
        Ok(place.expect("nobody closes the semaphore"))
    }

    /// A request with what every one carries, and what is left of its time.
    pub(crate) fn request<M: Message>(&self, message: M, deadline: Deadline) -> Result<tonic::Request<M>, Error> {
        // tonic would say no more than that the stream was reset.
        let size = message.encoded_len();
        if size > self.inner.max_message {
            return Err(GateError::too_large("REQUEST_TOO_LARGE", size as u64, self.inner.max_message as u64).into());
        }
        let mut request = tonic::Request::new(message);
        if let Some(left) = deadline.left()? {
            request.set_timeout(left);
        }
        if let Some(authorization) = &self.inner.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        Ok(request)
    }

    pub(crate) fn failure(&self, status: Status) -> Error {
        from_rpc_status(status, &self.inner.target)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Gate").field("target", &self.inner.target).finish_non_exhaustive()
    }
}
