"""Microsoft's generated client for Graph (beta), unmodified, with the service for Graph."""

import asyncio
import datetime
import uuid

import pytest
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph_beta import GraphRequestAdapter, GraphServiceClient
from msgraph_beta.generated.device_management.hardware_configurations.item.device_run_states.device_run_states_request_builder import (
    DeviceRunStatesRequestBuilder,
)
from msgraph_beta.generated.device_management.hardware_configurations.item.run_summary.run_summary_request_builder import (
    RunSummaryRequestBuilder,
)
from msgraph_beta.generated.models.device_management_script_device_state import (
    DeviceManagementScriptDeviceState,
)
from msgraph_beta.generated.models.device_management_script_user_state import (
    DeviceManagementScriptUserState,
)
from msgraph_beta.generated.models.hardware_configuration_device_state import (
    HardwareConfigurationDeviceState,
)
from msgraph_beta.generated.models.hardware_configuration_run_summary import (
    HardwareConfigurationRunSummary,
)
from msgraph_beta.generated.models.hardware_configuration_user_state import (
    HardwareConfigurationUserState,
)
from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_beta.generated.models.run_state import RunState

AT = datetime.datetime(2026, 11, 21, 9, 30, tzinfo=datetime.timezone.utc)


class Token(AccessTokenProvider):
    """The one thing a client is configured with, besides the base URL."""

    def __init__(self, token):
        self.token = token

    async def get_authorization_token(self, uri, additional_authentication_context={}):
        return self.token

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


def client(service, token=None):
    provider = BaseBearerTokenAuthenticationProvider(Token(token or service.write_token))
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{service.origin}/beta"
    return GraphServiceClient(request_adapter=adapter)


def run(coroutine):
    return asyncio.run(coroutine)


def configuration(service, token=None):
    graph = client(service, token)
    return graph.device_management.hardware_configurations.by_hardware_configuration_id(
        service.configuration
    )


def script(service):
    scripts = client(service).device_management.device_management_scripts
    return scripts.by_device_management_script_id(service.script)


def device_state(number, upn="ada@example.com", state=RunState.Success, at=AT):
    return HardwareConfigurationDeviceState(
        id=str(uuid.UUID(int=number)),
        device_name="Gerät 🖥️",
        upn=upn,
        internal_version=3,
        last_state_update_date_time=at,
        configuration_state=state,
    )


def summary():
    return HardwareConfigurationRunSummary(
        successful_device_count=5,
        failed_device_count=1,
        pending_device_count=2,
        error_device_count=0,
        not_applicable_device_count=8,
        unknown_device_count=2,
        successful_user_count=3,
        failed_user_count=15,
        pending_user_count=0,
        error_user_count=14,
        not_applicable_user_count=6,
        unknown_user_count=0,
        last_run_date_time=AT,
    )


def test_a_summary_is_updated_with_the_whole_entity_that_was_read(bare_service):
    async def steps():
        it = configuration(bare_service)
        created = await it.run_summary.patch(summary())
        assert created.failed_user_count == 15
        read = await it.run_summary.get()
        assert read.last_run_date_time == AT
        read.pending_device_count = 77
        await it.run_summary.patch(read)
        again = await it.run_summary.get()
        assert again.pending_device_count == 77
        assert again.failed_user_count == 15
        assert again.id == read.id == created.id

    run(steps())


def test_a_summary_is_read_in_part(bare_service):
    async def steps():
        it = configuration(bare_service)
        await it.run_summary.patch(summary())
        parameters = RunSummaryRequestBuilder.RunSummaryRequestBuilderGetQueryParameters(
            select=["failedUserCount"]
        )
        read = await it.run_summary.get(RequestConfiguration(query_parameters=parameters))
        assert read.failed_user_count == 15
        assert read.failed_device_count is None

    run(steps())


def test_events_are_posted_listed_and_removed(bare_service):
    async def steps():
        it = configuration(bare_service)
        posted = await it.device_run_states.post(device_state(1))
        assert posted.device_name == "Gerät 🖥️"
        assert posted.configuration_state == RunState.Success
        stale = device_state(1, state=RunState.Fail, at=AT - datetime.timedelta(hours=1))
        recorded = await it.device_run_states.post(stale)
        assert recorded.configuration_state == RunState.Success
        assert recorded.last_state_update_date_time == AT

        row = it.device_run_states.by_hardware_configuration_device_state_id(posted.id)
        assert (await row.get()).upn == "ada@example.com"
        assert (await it.run_summary.get()).successful_user_count == 1
        await row.delete()
        with pytest.raises(ODataError) as error:
            await row.get()
        assert error.value.response_status_code == 404
        assert error.value.error.code == "itemNotFound"
        assert error.value.error.message == f"no device has the id {posted.id}"

    run(steps())


def test_links_to_next_pages_are_walked(bare_service):
    async def steps():
        it = configuration(bare_service)
        for number in range(7):
            await it.device_run_states.post(device_state(number, upn=f"user{number}"))
        parameters = DeviceRunStatesRequestBuilder.DeviceRunStatesRequestBuilderGetQueryParameters(
            select=["id", "configurationState"], top=3, count=True
        )
        page = await it.device_run_states.get(RequestConfiguration(query_parameters=parameters))
        assert page.odata_count == 7
        sizes, seen = [], []
        while True:
            sizes.append(len(page.value))
            seen += [row.id for row in page.value]
            assert all(row.upn is None for row in page.value)
            if not page.odata_next_link:
                break
            page = await it.device_run_states.with_url(page.odata_next_link).get()
        assert sizes == [3, 3, 1]
        assert sorted(seen) == [str(uuid.UUID(int=number)) for number in range(7)]
        assert await it.device_run_states.count.get() == 7
        assert await it.user_run_states.count.get() == 7

    run(steps())


def test_a_user_state_is_created_changed_and_deleted(bare_service):
    async def steps():
        it = configuration(bare_service)
        await it.device_run_states.post(device_state(1, upn="ada@example.com"))
        created = await it.user_run_states.post(
            HardwareConfigurationUserState(
                upn="Ada@Example.com",
                user_name="Ada 👩‍🔬",
                user_email=None,
                last_state_update_date_time=AT,
                successful_device_count=5,
                failed_device_count=1,
                pending_device_count=0,
                error_device_count=0,
                not_applicable_device_count=0,
                unknown_device_count=0,
            )
        )
        row = it.user_run_states.by_hardware_configuration_user_state_id(created.id)
        read = await row.get()
        assert read.user_name == "Ada 👩‍🔬"
        read.failed_device_count = 2
        assert (await row.patch(read)).failed_device_count == 2
        assert (await row.get()).successful_device_count == 5
        users = await it.user_run_states.get()
        assert [user.upn for user in users.value] == ["Ada@Example.com"]
        await row.delete()
        assert (await row.get()).successful_device_count == 1

    run(steps())


def test_a_scripts_counts_are_read(bare_service):
    async def steps():
        it = script(bare_service)
        user = await it.user_run_states.post(
            DeviceManagementScriptUserState(
                user_principal_name="ada", success_device_count=0, error_device_count=0
            )
        )
        states = it.user_run_states.by_device_management_script_user_state_id(user.id)
        state = DeviceManagementScriptDeviceState(
            id=str(uuid.UUID(int=1)),
            run_state=RunState.ScriptError,
            last_state_update_date_time=AT,
            error_code=-5,
            error_description="it fell over",
        )
        posted = await states.device_run_states.post(state)
        assert posted.error_description == "it fell over"
        state.id = str(uuid.UUID(int=2))
        state.run_state = RunState.Success
        await it.device_run_states.post(state)
        summary = await it.run_summary.get()
        assert (summary.success_device_count, summary.error_device_count) == (1, 1)
        assert (summary.success_user_count, summary.error_user_count) == (0, 1)
        assert len((await states.device_run_states.get()).value) == 1
        assert len((await it.device_run_states.get()).value) == 2

    run(steps())


def test_errors_are_mapped(bare_service):
    async def steps():
        it = configuration(bare_service)
        await it.device_run_states.post(device_state(1))
        with pytest.raises(ODataError) as error:
            below = HardwareConfigurationRunSummary(successful_device_count=0)
            await it.run_summary.patch(below)
        assert error.value.response_status_code == 409
        assert error.value.error.code == "conflict"
        said = "successfulDeviceCount was declared as 0, but 1 are counted here"
        assert error.value.error.message == said

        with pytest.raises(ODataError) as error:
            await configuration(bare_service, "wrong").run_summary.get()
        assert error.value.response_status_code == 401
        with pytest.raises(ODataError) as error:
            await configuration(bare_service, bare_service.read_token).run_summary.patch(summary())
        assert error.value.response_status_code == 403

        parameters = DeviceRunStatesRequestBuilder.DeviceRunStatesRequestBuilderGetQueryParameters(
            filter="id eq 1"
        )
        with pytest.raises(ODataError) as error:
            await it.device_run_states.get(RequestConfiguration(query_parameters=parameters))
        assert error.value.response_status_code == 400
        assert "$filter" in error.value.error.message

    run(steps())
