// Scenarios of the Raft core as text. A file has comments (`#`), commands (`> …`) and, after each
// command, everything that happened because of it. `playScenario` plays the commands and gives back
// the whole file as it should be. The commands are in scenario-commands.ts.
import { AssertionFailure } from '../../../src/base/assert.js'
import { COMMANDS } from './scenario-commands.js'
import { ScenarioStage } from './scenario-stage.js'

export function playScenario(text: string): string {
  const stage = new ScenarioStage()
  const played: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line === '') played.push(line)
    if (line.startsWith('> ')) played.push(line, ...outcome(stage, line.slice(2)))
  }
  return played.join('\n')
}

function outcome(stage: ScenarioStage, line: string): readonly string[] {
  const [name = '', ...words] = line.trim().split(/\s+/)
  const command = COMMANDS[name]
  if (!command) throw new Error(`no such command: ${line}`)
  try {
    command(stage, words)
  } catch (error) {
    // What must never happen is an outcome, too; whatever else goes wrong is the scenario's fault.
    if (!(error instanceof AssertionFailure)) throw error
    stage.say(`assertion failed: ${error.message}`)
  }
  return stage.takeOutput()
}
