import { Body, Inject, Put } from '@nestjs/common';
import type { Principal } from '@patchtrail/auth';
import {
  Answers,
  Api,
  Caller,
  Command,
  type CommandInput,
  ForEndpoints,
  type HttpReply,
  Id,
  noContent,
  ownEndpoint,
  Reply,
  Summary,
} from '@patchtrail/platform';
import { offerLease } from '../../application/offer-lease.js';
import { LeaseAnswer } from './answers.js';
import { DEPLOYMENT_CONTEXT, type DeploymentContext } from './deployment-context.js';
import { LeaseRequestDto } from './dto.js';
import { refusing } from './refusals.js';

@Api('v1/agents')
export class AgentsController {
  constructor(@Inject(DEPLOYMENT_CONTEXT) private readonly context: DeploymentContext) {}

  /** The endpoint's lease; 204 while there is nothing for it to do. */
  @Summary('What the endpoint shall do next, if anything.')
  @Put(':endpointId/lease')
  @ForEndpoints()
  @Answers(LeaseAnswer, { orNothing: true })
  async lease(
    @Id('endpointId') endpointId: string,
    @Body() { busyWith }: LeaseRequestDto,
    @Caller() caller: Principal,
    @Command() { context }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    ownEndpoint(caller, endpointId);
    const offer = await refusing(`endpoint ${endpointId}`, () =>
      offerLease(this.context, endpointId, busyWith, context),
    );
    return offer ?? noContent(reply);
  }
}
