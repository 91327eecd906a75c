/**
 * The protocol between the benchmark and the processes that it compares. Each contender is a child process.
 * It first introduces itself (`Greeting`), then answers each line of JSON on its standard input with a line
 * on its standard output. It sleeps in between, so that only one contender works at a time.
 */

/** A step of a whole network on random images. */
export interface NetworkTask {
  readonly kind: "train" | "evaluate";
  readonly network: NetworkName;
  /** K of the dynamic convolutions. Ignored by `alexnet`. */
  readonly experts: number;
  readonly batch: number;
  /** Height and width of the images. */
  readonly size: number;
  readonly threads: number;
}

/** The networks of `networks.ts`, and of `peer.py` and `peer_networks.py`. */
export type NetworkName = "alexnet" | "alexnet-dy" | "alexnet-dy-pooled" | PaperNetworkName;

/** A network by its name in dyconv's command line, and its dynamic layer. */
export type PaperNetworkName =
  `${"resnet18" | "resnet18-cifar" | "mobilenet-v2" | "mobilenet-v3-small"}${"" | "/dyconv" | "/odconv" | "/kernel-warehouse"}`;

/** One dynamic convolution, 3×3 with padding 1, including attention. */
export interface LayerTask {
  /** The backward pass computes the gradients of the input and of all parameters. */
  readonly kind: "forward" | "forward+backward";
  readonly inChannels: number;
  readonly outChannels: number;
  /** Height and width of input and output. */
  readonly size: number;
  readonly experts: number;
  readonly batch: number;
  readonly threads: number;
}

/** What is to be timed. */
export type Task = NetworkTask | LayerTask;

/** How the contender computes it, in terms that only the contender understands, such as `plan`. */
export type Variant = Readonly<Record<string, string>>;

/** A line sent to a contender: prepare a task, or run it repeatedly for about this many seconds. */
export type Request = { readonly open: Task; readonly variant: Variant } | { readonly round: number };

/** The first line from a contender. */
export interface Greeting {
  readonly versions: Readonly<Record<string, string>>;
}

/** The answer to `open`, after a few runs of the task. */
export interface Opened {
  readonly opened: true;
}

/** The answer to `round`. Its first run is not counted, as the others have used the caches meanwhile. */
export interface Round {
  /** Median time of a run. */
  readonly seconds: number;
  readonly calls: number;
  /** Peak memory of the process so far. */
  readonly peakMemoryBytes: number;
}

/** The answer to a request that failed. */
export interface Failure {
  readonly error: string;
}

/** Training steps of AlexNet-DY in a page. */
export interface PageTask {
  readonly batch: number;
  /** Height and width of the images. */
  readonly size: number;
  readonly threads: number;
  readonly steps: number;
}

/** An operator's time in one step, by its ONNX name. */
export interface OperatorTime {
  readonly type: string;
  readonly milliseconds: number;
}
