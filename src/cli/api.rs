//! The way from a command to the archive: the HTTP interface, in memory or over the network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;
use tokio_util::io::ReaderStream;
use tower::ServiceExt as _;

use super::Global;
use crate::archive::{Archive, Opened};
use crate::error::{AtPath, AtPlace, Code, Error, Result};
use crate::http::{Service, problem, router};

/// What a request carries.
pub enum Payload {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Value),
    /// The bytes of a file, streamed.
    File(PathBuf),
    /// Bytes.
    Bytes(Vec<u8>),
}

enum Way {
    Here { archive: Arc<Archive>, router: axum::Router },
    There { client: reqwest::Client, base: String },
}

impl Way {
    fn there(base: String) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build();
        Ok(Self::There { client: client.map_err(|e| Error::new(Code::Internal, e.to_string()))?, base })
    }
}

/// An archive reached through its interface.
pub struct Api {
    way: Way,
    token: String,
}

/// An answer whose body has not been read yet.
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    body: std::pin::Pin<Box<dyn Stream<Item = Result<bytes::Bytes>> + Send>>,
}

impl Api {
    /// Takes the archive's lock, or finds the server that holds it.
    pub async fn open(global: &Global) -> Result<Self> {
        let folder = global.archive.clone();
        let opened = tokio::task::spawn_blocking(move || Archive::open_or_find(&folder))
            .await
            .map_err(|_| Error::new(Code::Internal, "opening the archive panicked"))??;
        let (way, local) = match opened {
            Opened::Here(archive) => {
                let token = archive.local_token().to_owned();
                let router = router(Service::new(Arc::clone(&archive)));
                (Way::Here { archive, router }, token)
            }
            Opened::Served { address, token } => (Way::there(address)?, token),
        };
        Ok(Self { way, token: global.token.clone().unwrap_or(local) })
    }

    /// Reaches a server (`http://127.0.0.1:8480`) over the network, with this token.
    pub fn at(address: &str, token: &str) -> Result<Self> {
        Ok(Self { way: Way::there(address.to_owned())?, token: token.to_owned() })
    }

    /// Sends a request; any status comes back as a reply.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        payload: Payload,
    ) -> Result<Reply> {
        let authorization = format!("Bearer {}", self.token);
        match &self.way {
            Way::Here { router, .. } => {
                let mut request =
                    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, authorization);
                for (name, value) in headers {
                    request = request.header(*name, value);
                }
                let body = match payload {
                    Payload::Empty => Body::empty(),
                    Payload::Json(value) => Body::from(value.to_string()),
                    Payload::Bytes(bytes) => Body::from(bytes),
                    Payload::File(path) => {
                        let (file, length) = open(&path).await?;
                        request = request.header(header::CONTENT_LENGTH, length);
                        Body::from_stream(ReaderStream::with_capacity(file, 128 * 1024))
                    }
                };
                let request = request.body(body).map_err(|e| Error::new(Code::Usage, e.to_string()))?;
                let response = match router.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                let (parts, body) = response.into_parts();
                let body = body.into_data_stream().map(|chunk| chunk.map_err(|e| Error::new(Code::Io, e.to_string())));
                Ok(Reply { status: parts.status, headers: parts.headers, body: Box::pin(body) })
            }
            Way::There { client, base } => {
                let mut request =
                    client.request(method, format!("{base}{path}")).header(header::AUTHORIZATION, authorization);
                for (name, value) in headers {
                    request = request.header(*name, value);
                }
                request = match payload {
                    Payload::Empty => request,
                    Payload::Json(value) => request.body(value.to_string()),
                    Payload::Bytes(bytes) => request.body(bytes),
                    Payload::File(path) => {
                        let (file, length) = open(&path).await?;
                        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, 128 * 1024));
                        request.header(header::CONTENT_LENGTH, length).body(body)
                    }
                };
                let unreachable = |e: reqwest::Error| {
                    Error::new(Code::ArchiveLocked, "the server that holds the archive does not answer")
                        .at(base)
                        .because(e)
                };
                let response = request.send().await.map_err(unreachable)?;
                let (status, headers) = (response.status(), response.headers().clone());
                let body = response.bytes_stream().map(|chunk| chunk.map_err(|e| Error::new(Code::Io, e.to_string())));
                Ok(Reply { status, headers, body: Box::pin(body) })
            }
        }
    }

    /// Sends a request and reads the JSON of its answer; a problem comes back as the error it tells of.
    pub async fn call(&self, method: Method, path: &str, payload: Payload) -> Result<Value> {
        self.send(method, path, &[], payload).await?.json().await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, Payload::Empty).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::POST, path, Payload::Json(body)).await
    }

    /// Ends a command whose answer is one value: closes, then prints it.
    pub async fn finish(self, answer: Result<Value>, global: &Global) -> Result<super::Exit> {
        self.close().await?;
        let value = answer?;
        if global.json {
            super::print::json(&value)?;
        } else {
            super::print::tree(&value, 0)?;
        }
        Ok(super::Exit::Good)
    }

    /// Closes the archive when this process had opened it.
    pub async fn close(self) -> Result<()> {
        match self.way {
            Way::Here { archive, router } => {
                drop(router);
                tokio::task::spawn_blocking(move || archive.close())
                    .await
                    .map_err(|_| Error::new(Code::Internal, "closing the archive panicked"))?
            }
            Way::There { .. } => Ok(()),
        }
    }
}

async fn open(path: &Path) -> Result<(tokio::fs::File, u64)> {
    let file = tokio::fs::File::open(path).await.at_path(path)?;
    let length = file.metadata().await.at_path(path)?.len();
    Ok((file, length))
}

impl Reply {
    /// The whole body (answers are JSON; content is read with [`Reply::copy_to`]).
    pub async fn bytes(mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = self.body.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all)
    }

    /// The JSON of a good answer, or the error of a bad one.
    pub async fn json(self) -> Result<Value> {
        let status = self.status;
        let bytes = self.bytes().await?;
        if !status.is_success() {
            return Err(problem::parse(status.as_u16(), &bytes));
        }
        serde_json::from_slice(&bytes).map_err(|e| Error::new(Code::Internal, format!("the answer is not JSON: {e}")))
    }

    /// Copies the body of a good answer; a short one is an error. Returns its length.
    pub async fn copy_to(mut self, sink: &mut (dyn std::io::Write + Send), place: &str) -> Result<u64> {
        if !self.status.is_success() {
            let status = self.status.as_u16();
            return Err(problem::parse(status, &self.bytes().await?));
        }
        let announced =
            self.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        let mut length = 0;
        while let Some(chunk) = self.body.next().await {
            let chunk = chunk?;
            length += chunk.len() as u64;
            sink.write_all(&chunk).at(place)?;
        }
        sink.flush().at(place)?;
        match announced {
            Some(announced) if announced != length => {
                Err(Error::new(Code::Io, format!("{length} of {announced} bytes came")).at(place))
            }
            _ => Ok(length),
        }
    }
}
