/**
 * What the benchmark asks of the processes that it compares. Each contender is a child process. It says
 * first who it is (`Greeting`); then it answers each line of JSON on its standard input by one on its standard
 * output, and sleeps in between, so that only one contender works at a time.
 */

/** A step of a whole network on random images. */
export interface NetworkTask {
  readonly kind: "train" | "evaluate";
  readonly network: NetworkName;
  /** K of the dynamic convolutions; no matter for `alexnet`. */
  readonly experts: number;
  readonly batch: number;
  /** Height and width of the images. */
  readonly size: number;
  readonly threads: number;
}

/** The networks of `networks.ts`, and of `peer.py` and `peer_networks.py`. */
export type NetworkName = "alexnet" | "alexnet-dy" | "alexnet-dy-pooled" | PaperNetworkName;

/** A network by the name that dyconv's command line takes, and its dynamic layer. */
export type PaperNetworkName =
  `${"resnet18" | "resnet18-cifar" | "mobilenet-v2" | "mobilenet-v3-small"}${"" | "/dyconv" | "/odconv" | "/kernel-warehouse"}`;

/** One dynamic convolution, 3×3 with padding 1, attention included. */
export interface LayerTask {
  /** Backward gives the gradients of the input and of all parameters. */
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

/** How a contender is to do it: words that only the contender understands, such as `plan`. */
export type Variant = Readonly<Record<string, string>>;

/** A line to a contender: make ready for a task, or run it again and again for about so many seconds. */
export type Request = { readonly open: Task; readonly variant: Variant } | { readonly round: number };

/** The first line of a contender. */
export interface Greeting {
  readonly versions: Readonly<Record<string, string>>;
}

/** The answer to `open`; the task has been run a few times. */
export interface Opened {
  readonly opened: true;
}

/** The answer to `round`; its first run is not counted, since the others have had the caches meanwhile. */
export interface Round {
  /** Median of a run. */
  readonly seconds: number;
  readonly calls: number;
  /** The most memory that the process has held so far. */
  readonly peakMemoryBytes: number;
}

/** The answer to a request that failed. */
export interface Failure {
  readonly error: string;
}
