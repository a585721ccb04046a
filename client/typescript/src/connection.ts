/** How to reach a server: validated, with the files read, before any channel is made. No I/O over a network. */

import { readFile } from "node:fs/promises";
import { type ChannelCredentials, type ChannelOptions, credentials, Metadata } from "@grpc/grpc-js";

/** A PEM file's name, or its content as bytes. */
export type Pem = string | Uint8Array;

/** What `connect` may be told. */
export interface ConnectOptions {
  /** Milliseconds that a call may take unless it says otherwise; no limit by default. */
  readonly timeoutMs?: number;
  /** Milliseconds to wait for the connection now (5,000); null connects with the first call. */
  readonly waitMs?: number | null;
  /** Whether to use TLS; by default if `ca` or `certificate` is given. */
  readonly tls?: boolean;
  /** Who signs the server's certificate; by default the authorities that Node.js trusts. */
  readonly ca?: Pem;
  /** The client's own certificate, for mutual TLS. */
  readonly certificate?: Pem;
  /** Its key. */
  readonly key?: Pem;
  /** The name to expect in the server's certificate, where it is not the target's. */
  readonly serverName?: string;
  /** A bearer token; by default $CALLGATE_TOKEN, "" for none. */
  readonly token?: string;
  /** The largest message to send or take, bytes (1 GiB); the server's `limits.message` holds beside it. */
  readonly maxMessage?: number;
  /** How many calls may be on their way at once (100); more wait in this client, in order. */
  readonly inFlight?: number;
  /** Whether Python's float 2.0 arrives as `new Float(2)`, apart from its int 2; else both are the number 2. */
  readonly exact?: boolean;
  /** Further options of @grpc/grpc-js. */
  readonly channelOptions?: ChannelOptions;
}

/** Where a server listens unless told otherwise. */
export const DEFAULT_TARGET = "127.0.0.1:50051";
/** The largest that a server can be set to take: what is too large is the server's to say, without a setting here. */
export const DEFAULT_MAX_MESSAGE = 2 ** 30;
/** Below the server's admission limit of 128: a flood waits here, in order, instead of being refused there. */
export const DEFAULT_IN_FLIGHT = 100;

const SERVICE = "callgate.v1.FunctionService";

// CallFunction is not here: whether a call ran that the connection was lost for is not known.
const SERVICE_CONFIG = {
  methodConfig: [
    {
      name: ["ListFunctions", "GetFunction"].map((method) => ({ service: SERVICE, method })),
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.1s",
        maxBackoff: "1s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};

/** How to reach a server. */
export interface Connection {
  /** "HOST:PORT", "unix:PATH", or any gRPC name. */
  readonly target: string;
  /** TLS or plain text. */
  readonly credentials: ChannelCredentials;
  /** The channel's options. */
  readonly options: ChannelOptions;
  /** What every request carries; gRPC copies it for each. */
  readonly metadata: Metadata;
  /** The largest message, bytes of payload. */
  readonly maxMessage: number;
  /** How many calls may be on their way at once. */
  readonly inFlight: number;
  /** What gRPC says of a connection that could not be made, as a sentence with what to do. */
  readonly unreachable: (details: string) => string;
}

/** Validate what `connect` was told. */
export async function connection(target: string | undefined, told: ConnectOptions): Promise<Connection> {
  const to = checkedTarget(target ?? environment("CALLGATE_SERVER") ?? DEFAULT_TARGET);
  const { ca, certificate, key, serverName } = told;
  const maxMessage = count("maxMessage", told.maxMessage ?? DEFAULT_MAX_MESSAGE);
  const inFlight = count("inFlight", told.inFlight ?? DEFAULT_IN_FLIGHT);
  if ((certificate === undefined) !== (key === undefined)) {
    throw new TypeError("certificate and key go together: the client's own, for mutual TLS");
  }
  const secure = told.tls ?? (ca !== undefined || certificate !== undefined);
  if (!secure && (ca !== undefined || certificate !== undefined)) {
    throw new TypeError("tls: false contradicts ca, certificate and key");
  }
  if (!secure && serverName !== undefined) {
    throw new TypeError("serverName is the name in the server's certificate: it needs tls: true, or a ca");
  }
  const token = checkedToken(told.token ?? environment("CALLGATE_TOKEN") ?? "");
  const metadata = new Metadata();
  if (token) metadata.set("authorization", `Bearer ${token}`);
  const options: ChannelOptions = {
    "grpc.max_send_message_length": maxMessage + 1024,
    "grpc.max_receive_message_length": maxMessage + 1024,
    "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
    // Find out that a peer is gone although its host never said so.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // A Gate is a connection of its own; gRPC would share one, and its back-off, among all to the same target.
    "grpc.use_local_subchannel_pool": 1,
    // A server that was restarted is found again within seconds; gRPC's own back-off goes up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
    ...(serverName === undefined
      ? {}
      : { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName }),
    ...told.channelOptions,
  };
  return {
    target: to,
    credentials: secure ? await tls(ca, certificate, key) : credentials.createInsecure(),
    options,
    metadata,
    maxMessage,
    inFlight,
    unreachable: (details) => sentence(to, details, secure ? (certificate ? "certificate" : "tls") : "plain"),
  };
}

/** A variable of the environment; one that is empty is not set. */
function environment(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}

function count(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is ${String(value)}; 1 or more is right`);
  return value;
}

// gRPC's own naming schemes, as far as @grpc/grpc-js knows them.
const SCHEMES = ["unix:", "dns:", "ipv4:", "ipv6:"];
const HOST = /^(?:\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/[\]]+)$/;

function checkedTarget(target: string): string {
  if (SCHEMES.some((scheme) => target.startsWith(scheme))) return target;
  const colon = target.lastIndexOf(":");
  const port = Number(target.slice(colon + 1));
  const wrong = /^https?:/.test(target)
    ? "write HOST:PORT alone, and tls: true for TLS"
    : colon < 0 || !HOST.test(target.slice(0, colon))
      ? "write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH"
      : !/^\d+$/.test(target.slice(colon + 1)) || port < 1 || port > 65535
        ? "the port is a number from 1 to 65535"
        : "";
  if (wrong) throw new TypeError(`${JSON.stringify(target.slice(0, 200))} is no target: ${wrong}`);
  return target;
}

function checkedToken(token: string): string {
  const trimmed = token.trim();
  // RFC 6750 allows less; a header takes this much. The token itself must not get into a message.
  if (!/^[\x21-\x7e]*$/.test(trimmed)) throw new TypeError("a token is one word of printable ASCII characters");
  return trimmed;
}

async function tls(ca?: Pem, certificate?: Pem, key?: Pem): Promise<ChannelCredentials> {
  const [authorities, own, ownKey] = await Promise.all([
    pem("ca", ca),
    pem("certificate", certificate),
    pem("key", key),
  ]);
  try {
    return credentials.createSsl(authorities, ownKey, own);
  } catch (error) {
    throw new TypeError(`ca, certificate or key is no usable PEM, or the key is another certificate's: ${said(error)}`, {
      cause: error,
    });
  }
}

async function pem(what: string, value: Pem | undefined): Promise<Buffer | null> {
  if (value === undefined) return null;
  let data: Buffer;
  try {
    data = typeof value === "string" ? await readFile(value) : Buffer.from(value);
  } catch (error) {
    throw new TypeError(`${what}: ${String(value)} cannot be read: ${said(error)}`, { cause: error });
  }
  if (!data.includes("-----BEGIN")) {
    const shown = typeof value === "string" ? value : "the bytes given";
    throw new TypeError(`${what}: ${shown} is not PEM (no '-----BEGIN' line)`);
  }
  return data;
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const HUNG_UP: Readonly<Record<string, string>> = {
  plain: "the server hung up; it may speak TLS: give ca, or tls: true",
  tls: "the server hung up; it may want a client certificate: give certificate and key",
  certificate: "the server hung up; it may not know the authority that signed this client's certificate",
};

// What stands in gRPC's details, most telling first, and what it means.
const UNREACHABLE: readonly (readonly [RegExp, string | undefined])[] = [
  [/wrong version number|packet length too long/i, "the server does not speak TLS there: leave tls, ca, certificate and key out"],
  [/certificate has expired/i, "the server's certificate has expired"],
  [/certificate is not yet valid/i, "the server's certificate is not valid yet"],
  [/altnames|Hostname\/IP does not match/i, "the server's certificate is for another name; give serverName, the name that it is for"],
  [
    /self.signed certificate|unable to (?:get|verify)|issuer certificate/i,
    "the server's certificate is not signed by an authority that this client trusts; give ca, the certificate of the one that signed it",
  ],
  [/ECONNREFUSED|ENOENT/, "nothing listens there; is the server running (`callgate serve`)?"],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, "there is no host of that name"],
  [/ECONNRESET|hang up|EPIPE|alert|socket disconnected|closed/i, undefined],
];

/** Signs that no waiting will help: both sides are there and do not agree. */
export function isPermanent(details: string): boolean {
  return UNREACHABLE.slice(0, 5).some(([sign]) => sign.test(details));
}

function sentence(target: string, details: string, how: string): string {
  const cause = /Last error: ([^]*?)(?:\. Resolution note: .*)?$/.exec(details)?.[1];
  if (cause === undefined && !/No connection established|Name resolution failed/.test(details)) return details;
  const found = UNREACHABLE.find(([sign]) => sign.test(cause ?? details));
  const meaning = found && (found[1] ?? HUNG_UP[how] ?? "");
  const shown = (cause ?? details).slice(0, 300);
  return meaning === undefined
    ? `cannot connect to ${target}: ${shown}`
    : `cannot connect to ${target}: ${meaning} (${shown})`;
}
