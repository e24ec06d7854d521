// swarmdisk bootstrap [--host 127.0.0.1] [--port N]
import { Flags } from '@oclif/core'
import { isSwarmdiskError } from '../base/errors.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { parsePort } from '../cli/flags.js'
import { untilSignal } from '../cli/signals.js'
import { startBootstrap, type Bootstrap as BootstrapNode } from '../net/bootstrap.js'

const USUAL_PORT = 49737

export default class Bootstrap extends SwarmdiskCommand<undefined> {
  static override readonly summary =
    'Run a private DHT node, by which the peers of a closed network meet.'
  static override readonly description =
    'Prints HOST:PORT, which every other command takes as --bootstrap or SWARMDISK_BOOTSTRAP. ' +
    'It knows no cluster key and sees no data.'
  static override readonly examples = [
    '<%= config.bin %> bootstrap',
    '<%= config.bin %> bootstrap --host 192.168.1.10 --port 49737',
  ]
  static override readonly flags = {
    host: Flags.string({ description: 'address to listen on', default: '127.0.0.1' }),
    port: Flags.string({ description: 'UDP port; default: 49737, or a free one if that is taken' }),
  }

  protected override async execute(): Promise<undefined> {
    const { flags } = await this.parse(Bootstrap)
    const node = await start(flags.host, flags.port)
    this.announce(`${node.host}:${node.port}`, { host: node.host, port: node.port })
    await untilSignal()
    await node.close()
  }

  protected override show(): void {
    // Its ready line is all there is to show.
  }
}

/** A port that was asked for must be had; the usual one is only a preference. */
async function start(host: string, port: string | undefined): Promise<BootstrapNode> {
  if (port !== undefined) return startBootstrap({ host, port: parsePort(port, '--port') })
  try {
    return await startBootstrap({ host, port: USUAL_PORT })
  } catch (error) {
    if (!isSwarmdiskError(error, 'in-use')) throw error
    return startBootstrap({ host, port: 0 })
  }
}
