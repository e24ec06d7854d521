// swarmdisk epoch watch
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderEpochs } from '../../cli/render/cluster.js'
import type { EpochResult } from '../../net/admin.js'

interface Epochs {
  readonly epochs: readonly EpochResult[]
}

const AT_ONCE = 100

export default class EpochWatch extends ClusterCommand<Epochs> {
  static override readonly summary =
    'Print every change of the configuration as it comes, until Ctrl-C.'
  static override readonly examples = [
    '<%= config.bin %> epoch watch',
    '<%= config.bin %> epoch watch --json',
  ]
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<Epochs> {
    const { flags } = await this.parse(EpochWatch)
    let seen = 0
    return this.repeat(
      flags,
      () => ({ command: 'epoch-list', from: seen === 0 ? null : seen + 1, limit: AT_ONCE }),
      ({ epochs }) => {
        if (epochs.length === 0) return
        seen = epochs.at(-1)?.epoch ?? seen
        if (this.jsonEnabled()) for (const record of epochs) this.logJson(record)
        else this.log(renderEpochs(epochs))
      },
    )
  }

  protected override show(): void {
    // Everything was printed as it came.
  }
}
