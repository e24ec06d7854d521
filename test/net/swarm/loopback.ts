// Real networks on loopback with a private DHT of their own, for tests.
import { systemClock } from '../../../src/base/clock.js'
import type { Log, LogFields } from '../../../src/base/log.js'
import { startBootstrap, type Bootstrap } from '../../../src/net/bootstrap.js'
import { ClusterKey } from '../../../src/net/cluster-key.js'
import { keyPairFromSeed, type KeyPair } from '../../../src/net/identity.js'
import { SwarmNetwork, type SwarmNetworkOptions } from '../../../src/net/swarm-network.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

export const HOST = '127.0.0.1'
/** Nothing on loopback takes this long; the machine may be busy. */
const PATIENCE_MS = 60_000

export interface LogLine {
  readonly level: keyof Log
  readonly message: string
  readonly fields: LogFields | undefined
}

export class Loopback {
  readonly random: SeededRandom
  readonly key: ClusterKey
  readonly lines: LogLine[] = []
  readonly log: Log
  readonly bootstrap: Bootstrap

  private constructor(bootstrap: Bootstrap, seed: number) {
    this.bootstrap = bootstrap
    this.random = new SeededRandom(seed)
    this.key = ClusterKey.generate(this.random)
    const write =
      (level: keyof Log) =>
      (message: string, fields?: LogFields): void => {
        this.lines.push({ level, message, fields })
      }
    this.log = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    }
  }

  static async start(seed = 1): Promise<Loopback> {
    return new Loopback(await startBootstrap({ host: HOST, port: 0 }), seed)
  }

  keyPair(): KeyPair {
    return keyPairFromSeed(this.random.bytes(32))
  }

  network(options: Partial<SwarmNetworkOptions> = {}): SwarmNetwork {
    const { host, port } = this.bootstrap
    return new SwarmNetwork({
      keyPair: this.keyPair(),
      clusterKey: this.key,
      server: true,
      bootstrap: [{ host, port }],
      host: HOST,
      clock: systemClock,
      log: this.log,
      ...options,
    })
  }

  warnings(): readonly string[] {
    return this.lines.filter(line => line.level === 'warn').map(line => line.message)
  }
}

/** Waits in real time; throws after a bound, naming what did not come. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

export async function settle<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled: ${what}`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
