import { Body, Inject, Put } from '@nestjs/common';
import type { Principal } from '@patchtrail/auth';
import {
  Answers,
  Api,
  Caller,
  Command,
  type CommandInput,
  ForEndpoints,
  Id,
  invalidField,
  Summary,
} from '@patchtrail/platform';
import { confirmLease, recordOutcome } from '../../application/report.js';
import { ConfirmedAnswer, RecordedOutcomeAnswer } from './answers.js';
import { DEPLOYMENT_CONTEXT, type DeploymentContext } from './deployment-context.js';
import { ConfirmationDto, OutcomeDto } from './dto.js';
import { refusing } from './refusals.js';

@Api('v1/leases')
export class LeasesController {
  constructor(@Inject(DEPLOYMENT_CONTEXT) private readonly context: DeploymentContext) {}

  /** 200 is the permission to start; anything else forbids it. */
  @Summary('Confirm, right before installing, that the lease still holds.')
  @Put(':attemptId/confirmation')
  @ForEndpoints()
  @Answers(ConfirmedAnswer)
  async confirm(
    @Id('attemptId') attemptId: string,
    @Body() { epoch }: ConfirmationDto,
    @Caller() caller: Principal,
    @Command() { context }: CommandInput,
  ) {
    const confirmation = { attemptId, endpointId: caller.id, epoch };
    await refusing(`lease ${attemptId}`, () => confirmLease(this.context, confirmation, context));
    return { attemptId, epoch };
  }

  /** 200 once the report is in the stream; the same report again changes nothing. */
  @Summary('Report what became of a lease.')
  @Put(':attemptId/outcome')
  @ForEndpoints()
  @Answers(RecordedOutcomeAnswer)
  async outcome(
    @Id('attemptId') attemptId: string,
    @Body() body: OutcomeDto,
    @Caller() caller: Principal,
    @Command() { context }: CommandInput,
  ) {
    const isFailure = body.outcome === 'failed' || body.outcome === 'rollback-failed';
    if (isFailure && body.class === '') throw invalidField('class', 'must name the failure class');
    const { epoch, outcome, transient, detail, deviceTime } = body;
    const versions = body.versions.map(({ package: name, architecture, before, after }) => {
      return { package: name, architecture, before, after };
    });
    const report = {
      ...{ attemptId, endpointId: caller.id, epoch, outcome, class: body.class },
      ...{ transient, detail, versions, deviceTime },
    };
    await refusing(`lease ${attemptId}`, () => recordOutcome(this.context, report, context));
    return { attemptId, outcome };
  }
}
