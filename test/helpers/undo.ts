// Undoing what a test did, in the reverse order of doing it, and failing the test if that fails.
// (tape's own teardowns run in the order in which they were registered, and so would remove a
// directory before what is mounted on it; and one that rejects makes tape wait for ever.)
import type { Test } from 'tape'

type Step = () => unknown

const stacks = new WeakMap<Test, Step[]>()

/** Call it where the effect is made. All steps run, also after one that failed. */
export function undo(t: Test, step: Step): void {
  const present = stacks.get(t)
  if (present) {
    present.push(step)
    return
  }
  const steps = [step]
  stacks.set(t, steps)
  t.teardown(() => runAll(t, steps))
}

async function runAll(t: Test, steps: Step[]): Promise<void> {
  for (let step = steps.pop(); step; step = steps.pop()) {
    try {
      await step()
    } catch (error) {
      t.fail(`undoing: ${String(error)}`)
    }
  }
}
